B
upstream_yJ @©®¿c…e¿Š1u¿{”¿_?)Ø?À½¿M§g?