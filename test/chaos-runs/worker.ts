// A process of a chaos run: it works until it is killed, or the runner is gone.
import { NestFactory } from '@nestjs/core';
import { ChaosModule, type ChaosSettings } from './chaos-tasks.js';
import { SETTINGS_VARIABLE } from './fleet.js';

process.once('disconnect', () => process.exit());
// Listened to from the beginning: a message that nobody listens for is lost.
process.on('message', () => {});
const settings = JSON.parse(process.env[SETTINGS_VARIABLE]!) as ChaosSettings;
const app = await NestFactory.createApplicationContext(ChaosModule.of(settings, true), { logger: ['warn', 'error'] });
app.enableShutdownHooks();
process.send!('ready');
