"""The demo's supplier: a server of its own that speaks as OpenAI's does. Text by rule, embeddings by a real model where it is installed."""
