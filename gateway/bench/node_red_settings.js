// Node-RED without editor: one flow on loopback, with the checks as a global of its function node.
const path = require('path');
const home = process.env.NR_HOME;

module.exports = {
  uiPort: Number(process.env.NR_PORT), uiHost: '127.0.0.1', httpAdminRoot: false, httpNodeRoot: '/', flowFile: 'flows.json',
  functionGlobalContext: { check: require(path.join(home, 'node_red_check.js'))(home, process.env.NR_MODULES) },
  functionExternalModules: false, apiMaxLength: '5mb', telemetry: { enabled: false },
  logging: { console: { level: 'warn', metrics: false, audit: false } },
};
