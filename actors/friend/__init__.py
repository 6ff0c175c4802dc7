"""The friend: talks with a field about its origin when nobody looks, drifts, and never loses what it began with."""
