// The other side of a process that is started beside the measuring one: it is sent one task, and answers once.

/** A failure ends the process, which whoever started it takes for the answer. */
export function answerOneTask<Task, Result>(work: (task: Task) => Promise<Result>): void {
  process.once('message', (task: Task) => {
    work(task).then(
      (result) => process.send?.(result),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  });
}
