const moment = `time: {type: date, title: Time, description: In UTC}
      unix: {type: number, title: Unix time, description: Seconds since 1970}`

/** `plugin.spec.yaml` of the plugin. */
const dateSpec = `plugin_spec_version: v2
extension: plugin
products: [insightconnect]
name: date
title: Date
description: Reads, writes and reckons with moments
version: 1.0.0
vendor: capstan
support: community
status: []
tags: [transform, date, time]
actions:
  now:
    title: Now
    description: Gives the present moment
    output:
      ${moment}
  parse:
    title: Parse
    description: Reads a moment from a text
    input:
      text: {type: string, required: true, title: Text, example: "24.10.2018 11:36"}
      pattern: {type: string, required: false, title: Pattern, description: "As in strftime; empty: ISO 8601, RFC 2822, or seconds or milliseconds since 1970", example: "%d.%m.%Y %H:%M"}
      zone: {type: string, required: false, title: Zone, default: UTC, description: Of a text that names none, example: Europe/Berlin}
    output:
      ${moment}
  format:
    title: Format
    description: Writes a moment as a text
    input:
      time: {type: date, required: true, title: Time}
      pattern: {type: string, required: true, title: Pattern, description: As in strftime, example: "%A, %d %B %Y, %H:%M %z"}
      zone: {type: string, required: false, title: Zone, default: UTC}
    output:
      text: {type: string, title: Text}
  add:
    title: Add
    description: Goes forward from a moment, or back with numbers below 0; days and longer are those of the calendar in the zone
    input:
      time: {type: date, required: true, title: Time}
      years: {type: integer, required: false, title: Years}
      months: {type: integer, required: false, title: Months, description: A day that the month does not have becomes its last one}
      weeks: {type: integer, required: false, title: Weeks}
      days: {type: integer, required: false, title: Days}
      hours: {type: number, required: false, title: Hours}
      minutes: {type: number, required: false, title: Minutes}
      seconds: {type: number, required: false, title: Seconds}
      zone: {type: string, required: false, title: Zone, default: UTC}
    output:
      ${moment}
  difference:
    title: Difference
    description: Measures the time from one moment to another; below 0 when the second one is earlier
    input:
      from: {type: date, required: true, title: From}
      to: {type: date, required: true, title: To}
    output:
      seconds: {type: number, title: Seconds}
      minutes: {type: number, title: Minutes}
      hours: {type: number, title: Hours}
      days: {type: number, title: Days, description: Of 24 hours}
  zone:
    title: Zone
    description: Shows a moment on the clocks of a zone
    input:
      time: {type: date, required: true, title: Time}
      zone: {type: string, required: true, title: Zone, example: America/New_York}
    output:
      local: {type: date, title: Local time, description: With the zone's offset}
      offset: {type: string, title: Offset, example: "-04:00"}
      date: {type: string, title: Date, example: "2018-10-24"}
      clock: {type: string, title: Clock, example: "07:36:17"}
      weekday: {type: string, title: Weekday, example: Wednesday}
`

export { dateSpec }
