#!/bin/sh
set -eu

count=0
while read -r _; do
  count=$((count + 1))
done < poem.txt
echo "$count lines"
