#include "results/special.h"

#include <math.h>

static double continued_fraction(double a, double b, double x)
{
	const double tiny = 1e-300, epsilon = 1e-15;
	double c = 1, d = 1 - (a + b) * x / (a + 1), h;

	if (fabs(d) < tiny)
		d = tiny;
	d = 1 / d;
	h = d;
	for (int m = 1; m <= 500; m++) {
		double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
		double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
		double step;

		d = 1 + even * d;
		c = 1 + even / c;
		d = 1 / (fabs(d) < tiny ? tiny : d);
		c = fabs(c) < tiny ? tiny : c;
		h *= d * c;
		d = 1 + odd * d;
		c = 1 + odd / c;
		d = 1 / (fabs(d) < tiny ? tiny : d);
		c = fabs(c) < tiny ? tiny : c;
		step = d * c;
		h *= step;
		if (fabs(step - 1) < epsilon)
			break;
	}
	return h;
}

double beta_regularised(double a, double b, double x)
{
	double front;

	if (!(a > 0) || !(b > 0) || isnan(x))
		return NAN;
	if (x <= 0)
		return 0;
	if (x >= 1)
		return 1;
	front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
	/* The fraction converges fast only on this side of the mean. */
	if (x < (a + 1) / (a + b + 2))
		return front * continued_fraction(a, b, x) / a;
	return 1 - front * continued_fraction(b, a, 1 - x) / b;
}

double t_two_sided(double t, double df)
{
	if (isinf(t))
		return df > 0 ? 0 : NAN;
	return beta_regularised(df / 2, 0.5, df / (df + t * t));
}

double t_quantile(double p, double df)
{
	double low = 0, high = 1, tail = p < 0.5 ? 2 * p : 2 * (1 - p);

	if (!(df > 0) || !(p > 0 && p < 1))
		return NAN;
	while (t_two_sided(high, df) > tail)
		high *= 2;
	for (int i = 0; i < 200 && high - low > 1e-13 * high; i++) {
		double middle = (low + high) / 2;

		if (t_two_sided(middle, df) > tail)
			low = middle;
		else
			high = middle;
	}
	return p < 0.5 ? -high : high;
}

double f_upper(double f, double df1, double df2)
{
	return f <= 0 ? 1 : beta_regularised(df2 / 2, df1 / 2, df2 / (df2 + df1 * f));
}

double normal_upper(double z)
{
	return erfc(z / sqrt(2)) / 2;
}

double log_factorial(unsigned n)
{
	return lgamma((double)n + 1);
}
