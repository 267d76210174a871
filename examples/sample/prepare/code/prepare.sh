#!/bin/sh
set -eu

echo "Preparing the report of ${DEPLOY_PIPELINE_NAME:-no pipeline}"
