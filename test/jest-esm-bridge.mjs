// CommonJS packages that require() Nest (@willsoto/nestjs-prometheus) cannot load it in Jest's ESM mode: give them the
// ESM namespaces. Imports are not affected, and there is one copy of every class.
import { jest } from '@jest/globals';
import * as common from '@nestjs/common';
import * as core from '@nestjs/core';

jest.mock('@nestjs/common', () => common);
jest.mock('@nestjs/core', () => core);
