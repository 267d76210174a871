/** `plugin.spec.yaml` of the plugin. */
const mailSpec = `plugin_spec_version: v2
extension: plugin
products: [insightconnect]
name: mail
title: Mail
description: Sends mail through the server that the operator named, or through one of a connection
version: 1.0.0
vendor: capstan
support: community
status: []
tags: [mail, smtp]
connection_version: 1
connection:
  host: {type: string, required: true, title: Host, example: mail.example.com}
  port: {type: integer, required: false, title: Port, default: 587}
  security: {type: string, required: false, title: Security, default: starttls, enum: [starttls, tls, none], description: "starttls and tls insist on encryption; none sends in the open"}
  credentials: {type: credential_username_password, required: false, title: Credentials}
  from: {type: string, required: true, title: From, example: "Capstan <capstan@example.com>"}
types:
  attachment:
    filename: {type: string, required: true, title: File name}
    text: {type: string, required: false, title: Text, description: The content as text}
    base64: {type: bytes, required: false, title: Base64, description: The content as bytes}
actions:
  send:
    title: Send
    description: Sends a letter
    input:
      to: {type: "[]string", required: true, title: To, description: "Addresses; a letter has up to 100 recipients", example: [ann@example.com]}
      cc: {type: "[]string", required: false, title: Cc}
      bcc: {type: "[]string", required: false, title: Bcc}
      from: {type: string, required: false, title: From, description: Where another sender than the usual one is allowed}
      reply_to: {type: string, required: false, title: Reply to}
      subject: {type: string, required: true, title: Subject}
      text: {type: string, required: true, title: Text}
      html: {type: string, required: false, title: HTML, description: The same for readers that show HTML}
      attachments: {type: "[]attachment", required: false, title: Attachments}
    output:
      message_id: {type: string, title: Message id}
      accepted: {type: "[]string", title: Accepted, description: Recipients that the server took the letter for}
      refused: {type: "[]string", title: Refused}
`

export { mailSpec }
