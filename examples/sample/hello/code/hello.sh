#!/bin/sh
set -eu

echo "$GREETING from $DEPLOY_TASK_NAME in the namespace $DEPLOY_NAMESPACE (attempt $DEPLOY_ATTEMPT)"
