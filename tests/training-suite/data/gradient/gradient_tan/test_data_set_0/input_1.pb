B
upstream_yJ ®•QΏρ?CξUΏ+…³?Yρ?γΒ©Ώτιq?ώÿ§Ώ