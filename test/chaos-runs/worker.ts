// A process of a chaos run: it works until it is killed, or the runner is gone.
import { NestFactory } from '@nestjs/core';
import { JobsService } from '../../libs/jobs/src/index.js';
import { ChaosModule, type ChaosSettings } from './chaos-module.js';
import { SETTINGS_VARIABLE, SLOT_VARIABLE, type ReadyMessage } from './fleet.js';
import { HealthEndpointModule } from './health-endpoint.js';
import { LedgerFile } from './ledger.js';
import { Producer, STOP_PRODUCING } from './producer.js';

process.once('disconnect', () => process.exit());
// Listened to from the beginning: a message that nobody listens for is lost.
process.on('message', () => {});
const settings = JSON.parse(process.env[SETTINGS_VARIABLE]!) as ChaosSettings;
const servesHealth = settings.servesHealth === true && process.env[SLOT_VARIABLE] === '0';
const logger = { logger: ['warn' as const, 'error' as const] };
const work = ChaosModule.of(settings, true);
let health: string | null = null;
const boot = async () => {
  if (!servesHealth) return NestFactory.createApplicationContext(work, logger);
  const api = await NestFactory.create(HealthEndpointModule.beside(work), logger);
  await api.listen(0, '127.0.0.1');
  health = `${await api.getUrl()}/health`;
  return api;
};
const app = await boot();
app.enableShutdownHooks();
if (settings.producesFrom !== undefined) {
  const producer = Producer.goingOn(app.get(JobsService), app.get(LedgerFile), settings.ledger, settings.producesFrom);
  process.on('message', (message) => void (message === STOP_PRODUCING && producer.stop()));
}
process.send!({ health } satisfies ReadyMessage);
