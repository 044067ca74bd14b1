#!/bin/sh
# Takes the pictures of docs/console.md anew, from a console at work for a minute. Needs Chromium and pngquant, which makes them small.
set -e
cd "$(dirname "$0")/../.."
npm run build --silent
SCENE_SECONDS=${SCENE_SECONDS:-60} npx vitest run --config test/vitest.config.ts test/browser/console.test.ts
for name in live channel events-dark probe; do
  pngquant --force --strip --output "docs/images/console-$name.png" 64 "test/artifacts/console-$name.png"
done
