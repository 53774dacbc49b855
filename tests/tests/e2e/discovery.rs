//! A real server and a client connected to it, found by the agent alone: both programs, the endpoint and the
//! dependency between them.
