import { port, switchValue, token } from './values.js';

export const metricsVariables = {
  METRICS_TOKEN: token.optional(),
  METRICS_PUBLIC: switchValue.optional(),
  WORKER_METRICS_PORT: port.optional(),
};
