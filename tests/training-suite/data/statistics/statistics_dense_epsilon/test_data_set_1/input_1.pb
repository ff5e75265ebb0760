BscaleJÅU‹?zH½?
o>