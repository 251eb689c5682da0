// Functions of sixteen numbers: powers of two, GELU and its slope. Exact ones for float32 operands, quicker ones where
// operands are rounded to bfloat16 anyway (kExact, of the product).
#pragma once

namespace limbeck {

// Horner's scheme, highest power first.
template <size_t kCount>
inline Vec polynomial(const float (&coefficients)[kCount], Vec x) {
  Vec p = set(coefficients[0]);
  for (size_t i = 1; i < kCount; ++i) p = fma(p, x, set(coefficients[i]));
  return p;
}

// 2 ^ x for x <= 0, largest relative error 3e-6, or 1e-7 where it must be exact.
inline Vec power_of_two(Vec x) {
  const Vec n = whole(x), f = x - n;
  if constexpr (kExact)
    return times_power(polynomial({1.534580780e-04f, 1.339993156e-03f, 9.618488976e-03f, 5.550328776e-02f, 2.402264689e-01f,
                                   6.931472057e-01f, 1.0f}, f), n);
  else
    return times_power(polynomial({1.33336e-3f, 9.61813e-3f, 5.550411e-2f, 2.4022651e-1f, 6.9314718e-1f, 1.0f}, f), n);
}

// x between -kLimit and kLimit.
inline Vec clamp(Vec x, float limit) { return min(max(x, zero() - set(limit)), set(limit)); }

// x * Phi(x), where Phi is 1/2 plus an odd polynomial (minimax fits).
// Exact: of x² / 12.5 - 1 on [-5, 5], largest error 1e-6 there, 2e-6 at 8.
// Else: of x² on [-4.25, 4.25], largest error of the product 8.4e-5, a bf16 step at 0.02; outside, Phi is 0 or 1 to within 1.1e-5.
inline Vec gelu(Vec x) {
  if constexpr (kExact) {
    const Vec c = clamp(x, 5.0f), t = fms(c * c, set(0.08f), set(1.0f));
    const Vec p = polynomial({4.929561401e-04f, -1.514142612e-03f, 2.001892077e-03f, -2.915698569e-03f, 6.165402941e-03f,
                              -1.097321138e-02f, 1.649766602e-02f, -2.333673835e-02f, 3.142622858e-02f, -4.043294862e-02f,
                              5.152142048e-02f, -7.029665262e-02f, 1.413637847e-01f}, t);
    return x * fma(p, c, set(0.5f));
  } else {
    const Vec c = clamp(x, 4.25f), s = c * c;
    const Vec p = polynomial({-8.460542292e-10f, 7.570928605e-08f, -2.938831740e-06f, 6.552758888e-05f, -9.404525853e-04f,
                              9.257852175e-03f, -6.545358296e-02f, 3.984201152e-01f}, s);
    return x * fma(p, c, set(0.5f));
  }
}

// The derivative of x * Phi(x): 1/2 plus an odd polynomial (minimax fits).
// Exact: of x² / 15.125 - 1 on [-5.5, 5.5], largest error 1.5e-6.
// Else: of x² on [-4.25, 4.25], largest error 1.1e-4, a sixth of bf16's rounding at 0.2; outside, 0 or 1 to within 2e-4.
inline Vec gelu_slope(Vec x) {
  if constexpr (kExact) {
    const Vec c = clamp(x, 5.5f), t = fms(c * c, set(2.0f / 30.25f), set(1.0f));
    const Vec p = polynomial({1.022346597e-02f, -2.388506383e-02f, 1.026319899e-02f, -3.060970455e-03f, 4.174784198e-02f,
                              -7.091170549e-02f, 6.554083526e-02f, -6.607314944e-02f, 7.378189266e-02f, -7.020125538e-02f,
                              6.042006984e-02f, -5.361003801e-02f, 5.365794897e-02f, -6.574300677e-02f, 1.287592798e-01f}, t);
    return fma(p, c, set(0.5f));
  } else {
    const Vec c = clamp(x, 4.25f), s = c * c;
    const Vec p = polynomial({-3.426804397e-11f, 3.552490798e-09f, -1.634920979e-07f, 4.432682500e-06f, -7.936296302e-05f,
                              9.965490353e-04f, -9.040461736e-03f, 5.909255071e-02f, -2.653926109e-01f, 7.977564356e-01f}, s);
    return fma(p, c, set(0.5f));
  }
}

template <bool kGelu>
inline Vec activate(Vec x) { return kGelu ? gelu(x) : max(zero(), x); }  // what is no number stays none
template <bool kGelu>
inline Vec slope(Vec x) {
  if (kGelu) return gelu_slope(x);
  return keep(above(x, zero()), set(1.0f));
}

}  // namespace limbeck
