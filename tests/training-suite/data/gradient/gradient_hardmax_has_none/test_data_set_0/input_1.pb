B
upstream_yJ L|Ч┐8у╡?.?биx?.P
┐ЇTХ┐╩П╗┐0\╝?