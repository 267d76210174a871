/** `plugin.spec.yaml` of the plugin. */
const httpSpec = `plugin_spec_version: v2
extension: plugin
products: [insightconnect]
name: http
title: HTTP
description: Calls web addresses that the server may reach
version: 1.0.0
vendor: capstan
support: community
status: []
tags: [http, rest]
connection_version: 1
connection:
  base_url: {type: string, required: true, title: Base URL, description: "The credentials go there and to what is below it, and nowhere else", example: "https://example.com/api"}
  credentials: {type: credential_username_password, required: false, title: Credentials, description: Sent as Basic authentication}
  token: {type: credential_token, required: false, title: Token, description: Sent as Bearer token}
  key: {type: credential_secret_key, required: false, title: Key, description: Sent as a header of its own}
  key_header: {type: string, required: false, title: Key header, default: X-Api-Key, description: Name of the header that carries the key}
  certificate_authority: {type: string, required: false, title: Certificate authority, description: "In PEM, where the server's certificate is signed by one that is not known to everybody"}
actions:
  request:
    title: Request
    description: Makes a request and gives the answer, whatever its status
    input:
      method: {type: string, required: false, title: Method, default: GET, enum: [GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS]}
      url: {type: string, required: true, title: URL, description: "With a connection also what comes after its base URL, as /items", example: "https://example.com/api/items"}
      query: {type: object, required: false, title: Query, description: Parameters that are added to the URL; of a list each element}
      headers: {type: object, required: false, title: Headers, description: Texts by name; those that frame the message are set by the server}
      body: {type: string, required: false, title: Body}
      body_object: {type: object, required: false, title: Body object, description: Sent as JSON when there is no body}
      body_array: {type: array, required: false, title: Body array, description: Sent as JSON when there is no body}
      body_base64: {type: bytes, required: false, title: Body as Base64, description: Bytes that are sent when there is no body}
      form: {type: object, required: false, title: Form, description: Fields of a form that is sent when there is no body}
      timeout: {type: number, required: false, title: Timeout, default: 30, description: "Seconds for all of it, up to 300"}
      redirects: {type: integer, required: false, title: Redirects, default: 5, description: "How many are followed, up to 20; another origin gets no credentials"}
      fail_on_status: {type: boolean, required: false, title: Fail on status, description: Whether a status of 400 and more fails the step}
    output:
      status: {type: integer, title: Status}
      headers: {type: object, title: Headers, description: By names in lower case}
      body: {type: string, title: Body, description: "Read as the answer says, or as UTF-8; empty when it is no text"}
      body_object: {type: object, title: Body object, description: What the body holds where it is JSON; left out otherwise}
      body_base64: {type: bytes, title: Body as Base64, description: Where it is no text; left out otherwise}
      size: {type: integer, title: Size, description: "Bytes of the body, at most 10 MiB"}
      url: {type: string, title: URL, description: Where the answer came from after redirects}
`

export { httpSpec }
