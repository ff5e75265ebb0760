B
upstream_yJˆ˜v?8š?Ð	"¿âk¦?