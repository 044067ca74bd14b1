#!/usr/bin/env bash
# Builds the Debian package from the npm tarballs of a built clone: build.sh OUT_DIR. Its last line is the path of the .deb.
set -euo pipefail
if [ $# -ne 1 ]; then
  echo "Usage: build.sh OUT_DIR" >&2
  exit 2
fi
mkdir -p "$1"
out=$(cd "$1" && pwd)
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
if [ ! -f "$root/server/dist/cli/main.js" ]; then
  echo "Build the packages first: npm ci && npm run build" >&2
  exit 1
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 022
version=$(node -p "require('$root/server/package.json').version")
# The library of SQLite is compiled for one processor.
architecture=$(dpkg --print-architecture)
package=$work/package
library=$package/usr/lib/countersign
documents=$package/usr/share/doc/countersign
mkdir -p "$library" "$package/usr/bin" "$package/usr/lib/systemd/system" "$documents" "$package/etc/countersign" "$package/DEBIAN"

(cd "$root" && npm pack --silent --ignore-scripts --pack-destination "$work" -w sdk-server -w sdk-client -w server >/dev/null)
echo '{ "private": true }' > "$library/package.json"
npm install --prefix "$library" --omit=dev --no-audit --no-fund --prefer-offline --loglevel error "$work"/*.tgz >&2
# What npm keeps for itself names the folder of this build.
rm -f "$library/package.json" "$library/package-lock.json" "$library/node_modules/.package-lock.json"

ln -s ../lib/countersign/node_modules/@countersign/server/bin/countersign.js "$package/usr/bin/countersign"
unit=$root/deploy/systemd/countersign.service
cp "$unit" "$package/usr/lib/systemd/system/"
# countersign@PORT is one of several nodes on Redis, which has what would else be in the state directory.
sed -e 's/^Description=.*/&, port %i/' -e 's/^ExecStart=.*/& --port %i/' \
  -e '/^# Unless the file/d' -e '/COUNTERSIGN_DATA/d' -e '/^StateDirectory/d' -e '1s/countersign$/countersign@PORT/' \
  "$unit" > "$package/usr/lib/systemd/system/countersign@.service"
cp "$root/LICENSE" "$documents/copyright"
gzip -9n < "$root/CHANGELOG.md" > "$documents/changelog.gz"
for script in postinst prerm postrm; do
  install -m 0755 "$here/$script" "$package/DEBIAN/$script"
done
cat > "$package/DEBIAN/control" <<CONTROL
Package: countersign
Version: $version
Section: net
Priority: optional
Architecture: $architecture
Depends: nodejs (>= 20.19), libc6, passwd
Maintainer: Countersign <root@localhost>
Installed-Size: $(du -sk "$package/usr" | cut -f1)
Description: pub/sub channel service with signed channel authorization
 A broker that speaks the Pusher Channels protocol: WebSocket channels,
 presence, an HTTP API and webhooks. The service starts once there is
 /etc/countersign/countersign.json.
CONTROL

deb=$out/countersign_${version}_${architecture}.deb
dpkg-deb --root-owner-group -Zgzip --build "$package" "$deb" >&2
echo "$deb"
