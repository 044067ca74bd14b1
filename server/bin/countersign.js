#!/usr/bin/env -S node --max-semi-space-size=4
// The flag above halves the memory per idle connection; it has no effect once a process runs. The file stands outside
// of dist, so that npm finds it in a fresh clone, which is installed before it is built.
import '../dist/cli/main.js';
