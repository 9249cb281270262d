// Workers that share the strips of a picture: two cores are used even where a page has no threads,
// which need headers that a folder of files does not have.

export class Pool {
  constructor(source, count) {
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    this.workers = Array.from({ length: count }, () => this.made(url));
    this.waiting = []; // jobs that no worker has begun
    this.number = 0;
  }

  made(url) {
    const member = { worker: new Worker(url), answers: new Map(), busy: false };
    member.worker.addEventListener("message", ({ data: { id, error, ...rest } }) => {
      const [resolve, reject] = member.answers.get(id);
      member.answers.delete(id);
      if (error) reject(new Error(error));
      else resolve(rest);
    });
    member.worker.addEventListener("error", (event) => {
      for (const [, reject] of member.answers.values()) reject(new Error(event.message));
      member.answers.clear();
    });
    return member;
  }

  ask(member, task, rest) {
    const id = ++this.number;
    return new Promise((resolve, reject) => {
      member.answers.set(id, [resolve, reject]);
      member.worker.postMessage({ id, task, ...rest });
    });
  }

  // Told to every worker.
  all(task, rest) {
    return Promise.all(this.workers.map((member) => this.ask(member, task, rest)));
  }

  // Done by whichever is free first; null if `forget` comes before.
  one(task, rest) {
    return new Promise((resolve, reject) => {
      this.waiting.push({ task, rest, resolve, reject });
      this.next();
    });
  }

  next() {
    const free = this.workers.find((member) => !member.busy);
    if (!free || !this.waiting.length) return;
    const { task, rest, resolve, reject } = this.waiting.shift();
    free.busy = true;
    this.ask(free, task, rest)
      .then(resolve, reject)
      .finally(() => {
        free.busy = false;
        this.next();
      });
  }

  // What no worker has begun is not wanted any more.
  forget() {
    for (const { resolve } of this.waiting.splice(0)) resolve(null);
  }

  close() {
    for (const { worker } of this.workers) worker.terminate();
  }
}
