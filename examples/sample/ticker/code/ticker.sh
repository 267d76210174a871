#!/bin/sh
set -eu

# A deployment goes on until it is told to end. The shell waits for `sleep` so that it hears that at once.
trap 'kill "$pause"; echo "Told to end"; exit 0' TERM
while :; do
  echo "It is $(date -u +%H:%M:%S) UTC"
  sleep "$PAUSE_SECONDS" &
  pause=$!
  wait "$pause"
done
