#!/bin/sh
set -eu

echo "Tidied up"
