"""A market day: real demand spread over tenants, rights from forecasts, standing policies on real books; beside the same day without."""
