// PyTorch's random numbers on a CPU, from the same seed: aten/src/ATen/core/MT19937RNGEngine.h,
// DistributionsHelper.h, and native/cpu/DistributionTemplates.h.

const N = 624;
const M = 397;
const TWO_PI = 2 * Math.PI;

export class Generator {
  // seed: a whole number from 0; PyTorch's engine takes its lowest 32 bits
  constructor(seed) {
    this.state = new Uint32Array(N);
    this.next = N;
    this.state[0] = seed >>> 0;
    for (let i = 1; i < N; i++) {
      const last = this.state[i - 1] ^ (this.state[i - 1] >>> 30);
      this.state[i] = Math.imul(1812433253, last) + i;
    }
  }

  refill() {
    const s = this.state;
    const twist = (u, v) => (((u & 0x80000000) | (v & 0x7fffffff)) >>> 1) ^ (v & 1 ? 0x9908b0df : 0);
    for (let i = 0; i < N - M; i++) s[i] = s[i + M] ^ twist(s[i], s[i + 1]);
    for (let i = N - M; i < N - 1; i++) s[i] = s[i + M - N] ^ twist(s[i], s[i + 1]);
    s[N - 1] = s[M - 1] ^ twist(s[N - 1], s[0]);
    this.next = 0;
  }

  // 32 random bits
  bits() {
    if (this.next === N) this.refill();
    let y = this.state[this.next++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  // uniform in [0, 1): of 24 bits, as `torch.rand` draws float32
  single() {
    return (this.bits() & 0xffffff) / 0x1000000;
  }

  // uniform in [0, 1): of 53 bits, as the samplers of other laws draw it
  double() {
    const high = this.bits() & 0x1fffff;
    return (high * 0x100000000 + this.bits()) / 0x20000000000000;
  }

  // `torch.rand(count)`
  uniform(count) {
    const values = new Float32Array(count);
    for (let i = 0; i < count; i++) values[i] = this.single();
    return values;
  }

  // `torch.randn(count)`: Box and Muller's pairs, in blocks of 16
  normal(count) {
    if (count < 16) return this.fewNormal(count);
    const values = this.uniform(count);
    const transform = (start) => {
      for (let i = start; i < start + 8; i++) {
        const radius = Math.sqrt(-2 * Math.log(1 - values[i]));
        const angle = TWO_PI * values[i + 8];
        values[i] = radius * Math.cos(angle);
        values[i + 8] = radius * Math.sin(angle);
      }
    };
    for (let start = 0; start + 16 <= count; start += 16) transform(start);
    if (count % 16) {
      values.set(this.uniform(16), count - 16); // the last block is drawn again
      transform(count - 16);
    }
    return values;
  }

  fewNormal(count) {
    const values = new Float32Array(count);
    for (let i = 0; i < count; i += 2) {
      const angle = TWO_PI * this.double();
      const radius = Math.sqrt(-2 * Math.log1p(-this.double()));
      values[i] = radius * Math.cos(angle);
      if (i + 1 < count) values[i + 1] = radius * Math.sin(angle);
    }
    return values;
  }

  // one number of `torch.poisson`, for the mean `lambda`
  poisson(lambda) {
    if (lambda === 0) return 0;
    return lambda < 10 ? this.fewPhotons(lambda) : this.manyPhotons(lambda);
  }

  fewPhotons(lambda) {
    const end = Math.exp(-lambda);
    let product = this.double();
    let count = 0;
    for (; product > end; count++) product *= this.double();
    return count;
  }

  // transformed rejection, Hörmann 1993
  manyPhotons(lambda) {
    const b = 0.931 + 2.53 * Math.sqrt(lambda);
    const a = -0.059 + 0.02483 * b;
    const inverse = 1.1239 + 1.1328 / (b - 3.4);
    const accepted = 0.9277 - 3.6224 / (b - 2);
    for (;;) {
      const u = this.double() - 0.5;
      const v = this.double();
      const us = 0.5 - Math.abs(u);
      const k = Math.floor(((2 * a) / us + b) * u + lambda + 0.43);
      if (us >= 0.07 && v <= accepted) return k;
      if (k < 0 || (us < 0.013 && v > us)) continue;
      const left = Math.log(v) + Math.log(inverse) - Math.log(a / (us * us) + b);
      if (left <= -lambda + k * Math.log(lambda) - logFactorial(k)) return k;
    }
  }
}

const factorials = [0];

// log k!
function logFactorial(k) {
  for (let i = factorials.length; i <= k; i++) factorials.push(factorials[i - 1] + Math.log(i));
  return factorials[k];
}
