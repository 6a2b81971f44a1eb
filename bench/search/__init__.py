"""Search of hyper-parameters: what is searched of each method, which trials that comes to, and what they say."""
