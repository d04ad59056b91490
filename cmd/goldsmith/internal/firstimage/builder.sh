#!/bin/sh
# A builder: it reads $GOLDSMITH_INPUT, makes a file for each target in $GOLDSMITH_OUTPUT, and writes its result to $GOLDSMITH_RESULT.
# Everything that it prints is the log of the build. docs/builders.md of Goldsmith is the contract, with a function that reports progress.
set -eu
export PATH=/usr/bin:/bin

# build TARGET FILE: replace this with the commands that make your image. The first command that fails ends the build.
build() {
  echo "making $1"
  for second in 1 2 3; do
    sleep 1
    echo "working, $second of 3"
  done
  { echo "$1"; inputs; } >"$2"
}

# inputs prints the input except the fields build and attempt, so that the same inputs make the same image.
inputs() {
  sed 's/"attempt":[0-9]*,//; s/"build":{[^}]*},//' "$GOLDSMITH_INPUT"
}

fail() { # reason message
  message=$(printf %s "$2" | tr '[:cntrl:]' ' ' | sed 's/["\\]/\\&/g')
  printf '{"version":1,"outcome":"Failed","failure":{"reason":"%s","message":"%s"}}' "$1" "$message" >"$GOLDSMITH_RESULT"
  exit 1
}
grep -q '"version":1}$' "$GOLDSMITH_INPUT" || fail UnknownVersion "the input is not of version 1"
targets=$(sed 's/.*"targets":\[\([^]]*\)\].*/\1/' "$GOLDSMITH_INPUT" | tr '{},' '\n\n\n' | sed -n 's/^"name":"\(.*\)"$/\1/p')
artifacts=
for target in $targets; do
  file=$(echo "$target" | tr / -)
  build "$target" "$GOLDSMITH_OUTPUT/$file"
  digest=$(sha256sum "$GOLDSMITH_OUTPUT/$file" | cut -d ' ' -f 1)
  size=$(wc -c <"$GOLDSMITH_OUTPUT/$file" | tr -d ' ')
  artifacts="$artifacts${artifacts:+,}{\"target\":\"$target\",\"file\":\"$file\",\"digest\":\"sha256:$digest\",\"sizeBytes\":$size}"
done
printf '{"version":1,"outcome":"Succeeded","artifacts":[%s]}' "$artifacts" >"$GOLDSMITH_RESULT"
