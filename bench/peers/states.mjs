// Runs a state machine of a file again and again for some seconds, one execution at a time, and
// prints how many executions a second came to their end.
//
// Usage: node states.mjs FILE INPUT SECONDS
import { readFileSync } from 'node:fs';
import { StateMachine } from 'aws-local-stepfunctions';

const [file, input, seconds] = process.argv.slice(2);
const machine = new StateMachine(JSON.parse(readFileSync(file, 'utf8')), {
  validationOptions: { checkPaths: false, checkArn: false },
});
const run = () => machine.run(JSON.parse(input)).result;

for (let i = 0; i < 20; i++) await run(); // so that the JIT has seen the code
const began = process.hrtime.bigint();
let executions = 0;
let elapsed = 0;
while (elapsed < Number(seconds)) {
  await run();
  executions++;
  elapsed = Number(process.hrtime.bigint() - began) / 1e9;
}
console.log(executions / elapsed);
