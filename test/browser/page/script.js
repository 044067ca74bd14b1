probe.use(Countersign);
