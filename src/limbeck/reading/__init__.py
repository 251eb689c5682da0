"""How files, folders, exports, data sets of the hub and objects in memory become a `Dataset`."""
