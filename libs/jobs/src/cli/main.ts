#!/usr/bin/env node
import { beCommandLine } from './run-command-line.js';

await beCommandLine();
