// Every function exported here is a workflow type.
export { closeConnection } from './close-connection.js';
export { historicalSync, incrementalSync } from './sync.js';
