#!/usr/bin/env node
import { text } from 'node:stream/consumers'
import { answer, sample } from '../lib/message.ts'
import { serve } from '../lib/serve.ts'
import { count } from '../lib/count.ts'

const [verb = '', name = ''] = process.argv.slice(2).filter((word) => word !== '--debug')

switch (verb) {
  case 'run':
  case 'test': {
    const message = JSON.parse(await text(process.stdin))
    if (message.type === 'trigger_start' && verb === 'run') await count(message.body)
    else {
      const reply = answer(message, { test: verb === 'test' })
      process.stdout.write(JSON.stringify(reply))
      process.exitCode = reply.body.status === 'ok' ? 0 : 1
    }
    break
  }
  case 'http':
    serve(Number(process.argv[process.argv.indexOf('--port') + 1]) || 10001)
    break
  case 'info':
    console.log('Name:        Units\nVendor:      example\nVersion:     1.0.0')
    break
  case 'sample': {
    const message = sample(name)
    if (message) process.stdout.write(JSON.stringify(message))
    else process.exitCode = 1
    break
  }
  case '':
  case '--version':
    console.log('units 1.0.0: run, test, info, sample <name>, http [--port <port>]')
    break
  default:
    console.error('usage: icon_units run|test|info|sample|http')
    process.exitCode = 2
}
