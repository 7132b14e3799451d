import { Module } from '@nestjs/common';
import { ConfigModule } from '@nestjs/config';
import { parseEnvironment } from './environment.js';

// ConfigModule.forRoot reads the environment when it is called, so awaiting it here turns a bad value into a failed
// import that main.ts and worker.ts can report, instead of an unhandled rejection.
const configModule = await ConfigModule.forRoot({ isGlobal: true, cache: true, validate: parseEnvironment });

@Module({ imports: [configModule] })
export class EnvironmentModule {}
