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
actions:
  request:
    title: Request
    description: Makes a request and gives the answer, whatever its status
    input:
      method: {type: string, required: false, title: Method, default: GET, enum: [GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS]}
      url: {type: string, required: true, title: URL, example: "https://example.com/api/items"}
      headers: {type: object, required: false, title: Headers, description: Texts by name; those that frame the message are set by the server}
      body: {type: string, required: false, title: Body}
      body_object: {type: object, required: false, title: Body object, description: Sent as JSON when there is no body}
      timeout: {type: number, required: false, title: Timeout, default: 30, description: Seconds for all of it, up to 300}
      redirects: {type: integer, required: false, title: Redirects, default: 5, description: "How many are followed, up to 20; another origin gets no credentials"}
      fail_on_status: {type: boolean, required: false, title: Fail on status, description: Whether a status of 400 and more fails the step}
    output:
      status: {type: integer, title: Status}
      headers: {type: object, title: Headers, description: By names in lower case}
      body: {type: string, title: Body, description: Empty when it is no UTF-8}
      body_object: {type: object, title: Body object, description: What the body holds where it is JSON; left out otherwise}
      body_base64: {type: bytes, title: Body as Base64, description: Where it is no UTF-8; left out otherwise}
      size: {type: integer, title: Size, description: "Bytes of the body, at most 10 MiB"}
      url: {type: string, title: URL, description: Where the answer came from after redirects}
`

export { httpSpec }
