Bupstream_y_hJ¶l‚¿;—¿¯¹?
{T¿·ú{¿i½d¿