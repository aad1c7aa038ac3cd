// Names below `localhost` are this machine's, as RFC 6761 §6.3 asks of everybody who looks up names. Browsers know; the
// system's own look-up, which Node uses, may not, and `fetch` sends no Host header but that of its address.
import dns from 'node:dns';

const askTheSystem = dns.lookup;
dns.lookup = (name, ...rest) => askTheSystem(name.endsWith('.localhost') ? '127.0.0.1' : name, ...rest);
