// Here so that the precompiled headers of the tests have a target of their own.
