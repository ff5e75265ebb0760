B
upstream_yJ0á˜N?ÄÂ;¿lF¿ù¿K?ğ
¿x³š?ˆBm¿ÿ,y?èV?”-r¿™T?Ñç“¿