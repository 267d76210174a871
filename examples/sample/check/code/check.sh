#!/bin/sh
set -eu

if [ "${CHECK_FAILS:-no}" = yes ]; then
  echo "This check fails because it was asked to"
  exit 1
fi
echo "All is well"
