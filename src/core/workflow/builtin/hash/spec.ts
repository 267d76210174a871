const hashed = (name: string, title: string, description: string) => `  ${name}:
    title: ${title}
    description: ${description}
    input:
      text: {type: string, required: true, title: Text}
      encoding: {type: string, required: false, title: Encoding, default: utf8, enum: [utf8, base64], description: What the text is; base64 stands for the bytes that it holds}
    output:
      hex: {type: string, title: Hex}
      base64: {type: string, title: Base64}
`

/** `plugin.spec.yaml` of the plugin. */
const hashSpec = `plugin_spec_version: v2
extension: plugin
products: [insightconnect]
name: hash
title: Hash
description: Makes digests of text and bytes
version: 1.0.0
vendor: capstan
support: community
status: []
tags: [transform, hash]
actions:
${hashed('md5', 'MD5', 'Makes an MD5 digest, for comparing with lists of such digests and not for protection')}\
${hashed('sha1', 'SHA-1', 'Makes a SHA-1 digest, for comparing with lists of such digests and not for protection')}\
${hashed('sha256', 'SHA-256', 'Makes a SHA-256 digest')}\
${hashed('sha384', 'SHA-384', 'Makes a SHA-384 digest')}\
${hashed('sha512', 'SHA-512', 'Makes a SHA-512 digest')}\
  hmac:
    title: HMAC
    description: Makes a digest with a key, as webhooks are signed
    input:
      text: {type: string, required: true, title: Text}
      key: {type: password, required: true, title: Key}
      algorithm: {type: string, required: false, title: Algorithm, default: sha256, enum: [md5, sha1, sha256, sha512]}
      encoding: {type: string, required: false, title: Encoding, default: utf8, enum: [utf8, base64], description: What the text is; base64 stands for the bytes that it holds}
    output:
      hex: {type: string, title: Hex}
      base64: {type: string, title: Base64}
`

export { hashSpec }
