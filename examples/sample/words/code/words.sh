#!/bin/sh
set -eu

count=0
while read -r line; do
  # The words of the line, one argument each.
  set -- $line
  count=$((count + $#))
done < poem.txt
echo "$count words"
