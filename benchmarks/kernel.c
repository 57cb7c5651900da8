/* A step of a net of two hidden layers (relu, softmax, Adam) written by hand: what a compiler could reach at best.

Features first, the batch along the vectors; every product keeps its block of the answer in registers. Sizes are
constants of the compilation: COLUMNS, WIDTH, BATCH, multiples of 16; three classes. */

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define CLASSES 3
#define L 16 /* floats of a vector */
typedef float vec __attribute__((vector_size(64), aligned(4), may_alias));
#define PLACE __attribute__((aligned(64)))

typedef struct { /* a racer; Adam's memory beside the weights */
    float w1[WIDTH * COLUMNS], b1[WIDTH], w2[WIDTH * WIDTH], b2[WIDTH], w3[CLASSES * WIDTH], b3[L];
} Net PLACE;
#define NUMBERS (sizeof(Net) / sizeof(float))

/* C[m, n] = bias[m] + sum over k of A[m as + k ak] B[k, n]: a block of R rows and V vectors. */
#define BLOCK(R, V)                                                                                                    \
    static inline __attribute__((always_inline)) void block_##R##_##V(                                                 \
        int K, const float *A, int as, int ak, const float *B, int ldb, const float *bias, float *C, int ldc) {        \
        vec sum[R][V];                                                                                                 \
        for (int i = 0; i < R; i++)                                                                                    \
            for (int j = 0; j < V; j++) sum[i][j] = (vec){0} + (bias ? bias[i] : 0.0f);                                \
        for (int k = 0; k < K; k++) {                                                                                  \
            vec b[V];                                                                                                  \
            _Pragma("GCC unroll 4") for (int j = 0; j < V; j++) b[j] = *(const vec *)(B + k * ldb + j * L);            \
            _Pragma("GCC unroll 16") for (int i = 0; i < R; i++) {                                                     \
                float a = A[i * as + k * ak];                                                                          \
                _Pragma("GCC unroll 4") for (int j = 0; j < V; j++) sum[i][j] += a * b[j];                             \
            }                                                                                                          \
        }                                                                                                              \
        _Pragma("GCC unroll 16") for (int i = 0; i < R; i++)                                                           \
            _Pragma("GCC unroll 4") for (int j = 0; j < V; j++) *(vec *)(C + i * ldc + j * L) = sum[i][j];             \
    }
BLOCK(1, 1) BLOCK(1, 2) BLOCK(1, 4) BLOCK(4, 4) BLOCK(6, 4) BLOCK(8, 2) BLOCK(12, 2) BLOCK(12, 1)

#define ROWS_OF(R, V)                                                                                                  \
    for (; m + R <= M; m += R) block_##R##_##V(K, A + m * as, as, ak, B + n, ldb, bias ? bias + m : 0, C + m * ldc + n, ldc)

static inline __attribute__((always_inline)) void product(
    int M, int N, int K, const float *A, int as, int ak, const float *B, int ldb, const float *bias, float *C, int ldc) {
    int n = 0, m;
    for (; n + 4 * L <= N; n += 4 * L) { m = 0; ROWS_OF(6, 4); ROWS_OF(4, 4); ROWS_OF(1, 4); }
    for (; n + 2 * L <= N; n += 2 * L) { m = 0; ROWS_OF(12, 2); ROWS_OF(8, 2); ROWS_OF(1, 2); }
    for (; n + L <= N; n += L) { m = 0; ROWS_OF(12, 1); ROWS_OF(1, 1); }
}

static void turned(int M, int N, const float *A, float *B) { /* B[n, m] = A[m, n] */
    for (int m = 0; m < M; m += L)
        for (int n = 0; n < N; n++)
            for (int i = 0; i < L; i++) B[n * M + m + i] = A[(m + i) * N + n];
}

static inline void rectified(int count, float *z) {
    for (int i = 0; i < count; i++) z[i] = z[i] > 0 ? z[i] : 0;
}

static inline void masked(int count, float *d, const float *h) {
    for (int i = 0; i < count; i++) d[i] = h[i] > 0 ? d[i] : 0;
}

static inline void summed(int M, const float *d, float *b) {
    for (int m = 0; m < M; m++) {
        vec s = {0};
        for (int n = 0; n < BATCH; n += L) s += *(const vec *)(d + m * BATCH + n);
        float all = 0;
        for (int i = 0; i < L; i++) all += s[i];
        b[m] = all;
    }
}

static void step(Net *net, Net *mean, Net *square, int t, float rate, const float *X, const int *y, const int *rows) {
    static __thread PLACE float xb[BATCH * COLUMNS], x[COLUMNS * BATCH], h1[WIDTH * BATCH], h2[WIDTH * BATCH],
        z[CLASSES * BATCH], d1[WIDTH * BATCH], d2[WIDTH * BATCH], back[WIDTH * BATCH];
    static __thread Net g;
    for (int n = 0; n < BATCH; n++) memcpy(xb + n * COLUMNS, X + (long)rows[n] * COLUMNS, COLUMNS * sizeof(float));
    turned(BATCH, COLUMNS, xb, x);
    product(WIDTH, BATCH, COLUMNS, net->w1, COLUMNS, 1, x, BATCH, net->b1, h1, BATCH);
    rectified(WIDTH * BATCH, h1);
    product(WIDTH, BATCH, WIDTH, net->w2, WIDTH, 1, h1, BATCH, net->b2, h2, BATCH);
    rectified(WIDTH * BATCH, h2);
    product(CLASSES, BATCH, WIDTH, net->w3, WIDTH, 1, h2, BATCH, net->b3, z, BATCH);
    for (int n = 0; n < BATCH; n++) { /* softmax, and what the loss asks of the outputs */
        float most = fmaxf(fmaxf(z[n], z[BATCH + n]), z[2 * BATCH + n]), sum = 0;
        for (int c = 0; c < CLASSES; c++) sum += z[c * BATCH + n] = expf(z[c * BATCH + n] - most);
        for (int c = 0; c < CLASSES; c++) z[c * BATCH + n] = z[c * BATCH + n] / (sum * BATCH);
    }
    for (int n = 0; n < BATCH; n++) z[y[rows[n]] * BATCH + n] -= 1.0f / BATCH;
    turned(WIDTH, BATCH, h2, back);
    product(CLASSES, WIDTH, BATCH, z, BATCH, 1, back, WIDTH, 0, g.w3, WIDTH);
    product(WIDTH, BATCH, CLASSES, net->w3, 1, WIDTH, z, BATCH, 0, d2, BATCH);
    masked(WIDTH * BATCH, d2, h2);
    turned(WIDTH, BATCH, h1, back);
    product(WIDTH, WIDTH, BATCH, d2, BATCH, 1, back, WIDTH, 0, g.w2, WIDTH);
    product(WIDTH, BATCH, WIDTH, net->w2, 1, WIDTH, d2, BATCH, 0, d1, BATCH);
    masked(WIDTH * BATCH, d1, h1);
    product(WIDTH, COLUMNS, BATCH, d1, BATCH, 1, xb, COLUMNS, 0, g.w1, COLUMNS);
    summed(WIDTH, d1, g.b1);
    summed(WIDTH, d2, g.b2);
    memset(g.b3, 0, sizeof g.b3);
    summed(CLASSES, z, g.b3);
    float *w = (float *)net, *m = (float *)mean, *v = (float *)square, *d = (float *)&g;
    float first = 1 / (1 - powf(0.9f, t)), second = 1 / (1 - powf(0.999f, t));
    for (size_t i = 0; i < NUMBERS; i++) {
        m[i] = 0.9f * m[i] + 0.1f * d[i];
        v[i] = 0.999f * v[i] + 0.001f * d[i] * d[i];
        w[i] -= rate * first * m[i] / (sqrtf(v[i] * second) + 1e-8f);
    }
}

typedef struct {
    int racers, steps;
    float rate;
    const float *X;
    const int *y, *rows;
    Net *nets;
} Work;

static void *worker(void *given) {
    Work *work = given;
    Net *mean = aligned_alloc(64, sizeof(Net)), *square = aligned_alloc(64, sizeof(Net));
    for (int r = 0; r < work->racers; r++) {
        memset(mean, 0, sizeof(Net));
        memset(square, 0, sizeof(Net));
        for (int t = 0; t < work->steps; t++)
            step(work->nets + r, mean, square, t + 1, work->rate, work->X, work->y, work->rows + (long)t * BATCH);
    }
    free(mean);
    free(square);
    return 0;
}

size_t numbers(void) { return NUMBERS; }

/* Train `racers` nets for so many steps on so many threads, each net from what `nets` holds. */
void train(int threads, int racers, int steps, float rate, const float *X, const int *y, const int *rows, Net *nets) {
    pthread_t made[64];
    Work work[64];
    for (int i = 0; i < threads; i++) {
        int first = racers * i / threads, last = racers * (i + 1) / threads;
        work[i] = (Work){last - first, steps, rate, X, y, rows, nets + first};
        pthread_create(&made[i], 0, worker, &work[i]);
    }
    for (int i = 0; i < threads; i++) pthread_join(made[i], 0);
}
