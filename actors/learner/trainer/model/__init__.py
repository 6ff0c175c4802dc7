"""Models behind one port, as numpy or torch computes them: weights in one flat vector of a fixed order."""
