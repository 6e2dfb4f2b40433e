#pragma once

/*
 * The distribution functions that the statistics need, from the regularised incomplete beta function (continued fraction, modified
 * Lentz; Abramowitz and Stegun 26.5.8). Relative error below 1e-10 in the range used here. NAN for degrees of freedom <= 0.
 */

/* I_x(a, b), 0 <= x <= 1. */
double beta_regularised(double a, double b, double x);

/* P(|T| >= |t|) with df degrees of freedom. */
double t_two_sided(double t, double df);
/* The t with P(T <= t) = p, 0 < p < 1. */
double t_quantile(double p, double df);
/* P(F >= f). */
double f_upper(double f, double df1, double df2);
/* P(Z >= z), the standard normal. */
double normal_upper(double z);
/* ln n! */
double log_factorial(unsigned n);
