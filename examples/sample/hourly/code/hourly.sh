#!/bin/sh
# The name of each job of a cron job ends in the minute that it is for, counted since 1970.
echo "$DEPLOY_TASK_NAME: it is $(date -u +%H:%M) UTC"
