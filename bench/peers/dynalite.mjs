// Serves dynalite in memory on a free port of 127.0.0.1, which it prints.
import dynalite from 'dynalite';

const server = dynalite({ createTableMs: 0 });
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
