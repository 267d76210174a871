const message = 'message: {type: string, required: false, title: Message, description: Handed on with every event}'
const output = `output:
      message: {type: string, title: Message}
      time: {type: date, title: Time, description: When it was due}`

/** `plugin.spec.yaml` of the plugin. */
const timersSpec = `plugin_spec_version: v2
extension: plugin
products: [insightconnect]
name: timers
title: Timers
description: Starts workflows by the clock and lets them wait
version: 1.0.0
vendor: capstan
support: community
status: []
tags: [time]
actions:
  delay:
    title: Delay
    description: Lets the workflow wait; the wait goes on over a restart of the server
    input:
      delay: {type: float, required: true, title: Delay, description: Seconds, example: 90}
triggers:
  periodic:
    title: Periodic
    description: Fires again and again with one pause in between
    input:
      period: {type: float, required: false, title: Period, description: Minutes, default: 60}
      ${message}
    ${output}
  hourly:
    title: Hourly
    description: Fires once an hour
    input:
      minute: {type: integer, required: true, title: Minute, description: 0 to 59}
      ${message}
    ${output}
  daily:
    title: Daily
    description: Fires every day at some times
    input:
      times_in_utc: {type: string, required: true, title: Times in UTC, description: "Separated by commas: 15:04, 3:04pm, 15:04:05 or 3:04:05pm", example: "09:00, 5:30pm"}
      ${message}
    ${output}
  weekly:
    title: Weekly
    description: Fires on some days of the week at some times
    input:
      day: {type: string, required: true, title: Day, description: Names separated by commas, example: "mon, Thursday"}
      times_in_utc: {type: string, required: true, title: Times in UTC, description: "Separated by commas: 15:04, 3:04pm, 15:04:05 or 3:04:05pm"}
      ${message}
    ${output}
  monthly:
    title: Monthly
    description: Fires on one day of every month that has it, at some times
    input:
      day_of_month: {type: integer, required: true, title: Day of the month, description: 1 to 31}
      times_in_utc: {type: string, required: false, title: Times in UTC, description: "Separated by commas: 15:04, 3:04pm, 15:04:05 or 3:04:05pm", default: "00:00"}
      ${message}
    ${output}
`

export { timersSpec }
